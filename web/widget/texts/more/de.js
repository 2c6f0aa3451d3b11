// German: what more is said of a hint that stands for long. The keys are those of en.js.

/** @type {import('../en.js').Texts} */
export default {
  more_no_face: 'Halten Sie das Gerät aufrecht in Augenhöhe, das ganze Gesicht im Oval. Vielleicht sieht eine andere Kamera zu Ihnen.',
  more_one_face_only: 'Niemand darf hinter Ihnen stehen. Drehen Sie sich weg von Bildern und Bildschirmen mit Gesichtern.',
  more_come_closer: 'Eine Armlänge Abstand ist etwa richtig.',
  more_more_light: 'Schalten Sie vor sich eine Lampe an, oder schauen Sie zum Fenster. Licht von hinten hilft nicht.',
  more_less_light: 'Ziehen Sie einen Vorhang zu, oder drehen Sie sich, bis das Licht von der Seite kommt.',
  more_uncover_face: 'Haare, Schal und Hand müssen Augen, Nase und Mund frei lassen.',
  more_open_eyes: 'Blendendes Licht schließt die Augen: Drehen Sie sich etwas weg davon.',
  more_camera_frozen: 'Wählen Sie unten eine andere Kamera, oder stecken Sie diese ab und wieder an.',
  more_camera_dark: 'Öffnen Sie die Abdeckung der Linse, wischen Sie sie ab, oder wählen Sie eine andere Kamera.',
  more_camera_slow: 'Vielleicht nutzt sie ein Videoanruf oder ein anderer Tab. Auch mehr Licht macht eine Kamera schneller.',
  more_camera_gray: 'Nachtmodus und Schwarz-Weiß-Effekte sind in den Einstellungen der Kamera.',
  more_connection_slow: 'Vielleicht ist das Netz Ihres Telefons schneller als dieses.',
  more_picture_jumps: 'Effekte für Hintergrund, Gesicht und Rahmen sind im Programm der Kamera.',
  more_face_lost: 'Stellen Sie das Gerät hin, damit nichts wackelt.',
  more_unknown: 'Wenn es nicht hilft, brechen Sie ab und versuchen Sie es an einem anderen Ort.',
};
