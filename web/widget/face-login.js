// Registers <face-login>. What a page loads; the class is in element.js.
// Source: docs/widget.md.

import { FaceLogin } from './element.js';

export { FaceLogin };

// On a server, which renders pages, there is no registry. A page may have loaded the element from two places.
if (globalThis.customElements && !customElements.get('face-login')) customElements.define('face-login', FaceLogin);
