// English: what more is said of a hint that stands for long. The keys are those of en.js.

/** @type {import('../en.js').Texts} */
export default {
  more_no_face: 'Hold the device upright at the height of your eyes, with your whole face in the oval. Another camera may be the one that looks at you.',
  more_one_face_only: 'Let nobody stand behind you, and turn away from pictures and screens with faces.',
  more_come_closer: 'An arm’s length from the camera is about right.',
  more_more_light: 'Switch on a lamp in front of you, or face a window. Light from behind does not help.',
  more_less_light: 'Close a curtain, or turn so that the light comes from the side.',
  more_uncover_face: 'Hair, scarf and hand must leave your eyes, nose and mouth free.',
  more_open_eyes: 'Light that blinds you closes your eyes: turn a little away from it.',
  more_camera_frozen: 'Choose another camera below, or unplug this one and plug it in again.',
  more_camera_dark: 'Open the lid of the lens, wipe it, or choose another camera.',
  more_camera_slow: 'Video calls and browser tabs may be using it. More light makes a camera quicker, too.',
  more_camera_gray: 'Night mode and black-and-white effects are in the settings of the camera.',
  more_connection_slow: 'A phone’s own network may be quicker than this one.',
  more_picture_jumps: 'Background, beauty and frame effects are in the program of the camera.',
  more_face_lost: 'Put the device down, so that nothing shakes.',
  more_unknown: 'If it does not help, cancel and try again in another place.',
};
