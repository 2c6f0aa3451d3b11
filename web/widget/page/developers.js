// One line on the console where the cause is the developer's. The only place of the widget that writes there; never a ticket, a token or an address.
// Source: docs/widget.md, "Ends".

/** @type {Readonly<Record<string, string>>} */
const CAUSES = Object.freeze({
  origin_not_allowed: "this page's origin is not among those of the client; the server's log has the command that allows it",
  camera_policy: 'the iframe needs allow="camera", and Permissions-Policy must not forbid the camera',
  camera_frame: 'the iframe\'s sandbox needs allow-same-origin beside allow-scripts, and the iframe allow="camera"',
  camera_insecure: 'browsers open the camera on https and on localhost only',
  ticket_missing: 'set session-url, getTicket, or session and ticket',
  ticket_failed: 'session-url or getTicket did not answer {server, session, ticket, ice_servers}',
});

/** @param {string} code */
export function tellDevelopers(code) {
  if (Object.hasOwn(CAUSES, code)) console.warn(`<face-login> ${code}: ${CAUSES[code]}. See docs/widget.md.`);
}
