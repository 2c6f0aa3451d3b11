// Spanish: what more is said of a hint that stands for long. The keys are those of en.js.

/** @type {import('../en.js').Texts} */
export default {
  more_no_face: 'Sujete el dispositivo derecho a la altura de los ojos, con toda la cara en el óvalo. Quizá sea otra cámara la que le ve.',
  more_one_face_only: 'Que nadie esté detrás de usted, y apártese de imágenes y pantallas con caras.',
  more_come_closer: 'La distancia de un brazo es más o menos la correcta.',
  more_more_light: 'Encienda una lámpara delante de usted o mire hacia una ventana. La luz de atrás no ayuda.',
  more_less_light: 'Cierre una cortina o gírese para que la luz venga de lado.',
  more_uncover_face: 'El pelo, la bufanda y la mano deben dejar libres ojos, nariz y boca.',
  more_open_eyes: 'Si la luz le deslumbra, apártese un poco de ella.',
  more_camera_frozen: 'Elija otra cámara abajo, o desconecte esta y vuelva a conectarla.',
  more_camera_dark: 'Abra la tapa del objetivo, límpielo o elija otra cámara.',
  more_camera_slow: 'Puede que la usen una videollamada u otra pestaña. Con más luz una cámara también es más rápida.',
  more_camera_gray: 'El modo nocturno y los efectos en blanco y negro están en los ajustes de la cámara.',
  more_connection_slow: 'La red del teléfono puede ser más rápida que esta.',
  more_picture_jumps: 'Los efectos de fondo, belleza y marco están en el programa de la cámara.',
  more_face_lost: 'Apoye el dispositivo para que nada tiemble.',
  more_unknown: 'Si no ayuda, cancele y vuelva a intentarlo en otro lugar.',
};
