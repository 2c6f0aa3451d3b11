// Chinese: what more is said of a hint that stands for long. The keys are those of en.js.

/** @type {import('../en.js').Texts} */
export default {
  more_no_face: '请把设备竖直放在眼睛的高度，整张脸位于椭圆框内。也许对着您的是另一个摄像头。',
  more_one_face_only: '请不要让人站在您身后，并避开有人脸的图片和屏幕。',
  more_come_closer: '与摄像头大约一臂的距离比较合适。',
  more_more_light: '请打开您面前的灯，或面向窗户。来自背后的光没有帮助。',
  more_less_light: '请拉上窗帘，或转动身体让光从侧面照来。',
  more_uncover_face: '头发、围巾和手不要遮住眼睛、鼻子和嘴。',
  more_open_eyes: '如果光线刺眼，请稍微转开一些。',
  more_camera_frozen: '请在下方换一个摄像头，或拔下这个再重新插上。',
  more_camera_dark: '请打开镜头盖，擦拭镜头，或换一个摄像头。',
  more_camera_slow: '视频通话或其他标签页可能正在使用它。光线更亮也会让摄像头更快。',
  more_camera_gray: '夜间模式和黑白效果在摄像头的设置中。',
  more_connection_slow: '手机自己的网络也许比这个更快。',
  more_picture_jumps: '背景、美颜和边框效果在摄像头的程序中。',
  more_face_lost: '请把设备放稳，避免晃动。',
  more_unknown: '如果没有帮助，请取消并换一个地方再试。',
};
