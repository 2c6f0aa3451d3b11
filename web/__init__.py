"""The browser's room: the <face-login> element (*.js) and the demo relying app (web.demo)."""
