// French: what more is said of a hint that stands for long. The keys are those of en.js.

/** @type {import('../en.js').Texts} */
export default {
  more_no_face: 'Tenez l’appareil droit, à hauteur des yeux, tout le visage dans l’ovale. C’est peut-être une autre caméra qui vous voit.',
  more_one_face_only: 'Que personne ne soit derrière vous, et éloignez-vous des images et écrans avec des visages.',
  more_come_closer: 'Une longueur de bras est à peu près la bonne distance.',
  more_more_light: 'Allumez une lampe devant vous ou regardez vers une fenêtre. La lumière de derrière n’aide pas.',
  more_less_light: 'Fermez un rideau ou tournez-vous pour que la lumière vienne de côté.',
  more_uncover_face: 'Cheveux, écharpe et main doivent laisser libres les yeux, le nez et la bouche.',
  more_open_eyes: 'Si la lumière vous éblouit, détournez-vous un peu.',
  more_camera_frozen: 'Choisissez une autre caméra ci-dessous, ou débranchez celle-ci et rebranchez-la.',
  more_camera_dark: 'Ouvrez le cache de l’objectif, essuyez-le ou choisissez une autre caméra.',
  more_camera_slow: 'Un appel vidéo ou un autre onglet l’utilise peut-être. Plus de lumière rend aussi une caméra plus rapide.',
  more_camera_gray: 'Le mode nuit et les effets noir et blanc se trouvent dans les réglages de la caméra.',
  more_connection_slow: 'Le réseau de votre téléphone est peut-être plus rapide que celui-ci.',
  more_picture_jumps: 'Les effets de fond, de beauté et de cadre se trouvent dans le programme de la caméra.',
  more_face_lost: 'Posez l’appareil pour que rien ne tremble.',
  more_unknown: 'Si cela n’aide pas, annulez et réessayez ailleurs.',
};
