// What the tag and its events are to TypeScript: in the DOM, in React's JSX, in Vue's templates. The class itself is described by element.js.
// Source: docs/widget.md; TypeScript, "Global augmentation"; React 19 and Vue 3, "custom elements".

import type { FaceLogin } from './element.js';

/** The states of the element, as in docs/widget.md. */
type Phase = FaceLogin['state'];

export interface FaceLoginEventMap {
  'face-login:success': CustomEvent<{ token: string, expiresIn: number }>;
  'face-login:failure': CustomEvent<{ outcome: 'rejected' | 'expired', reasons: string[], do: string, retry: boolean, hint?: string }>;
  'face-login:error': CustomEvent<{ code: string, text: string, do: string, retry: boolean }>;
  'face-login:phase': CustomEvent<{ phase: Phase, ahead?: number | null, wait_s?: number | null, lost?: string }>;
  'face-login:hint': CustomEvent<{ hint: string | null }>;
  'face-login:cancel': CustomEvent<Record<string, never>>;
  'face-login:retry': CustomEvent<Record<string, never>>;
}

/** The attributes, as a template writes them. */
export interface FaceLoginAttributes {
  'session-url'?: string;
  purpose?: 'enroll' | 'login' | 'identify';
  'csrf-token'?: string;
  server?: string;
  session?: string;
  ticket?: string;
  'ice-servers'?: string;
  'auto-start'?: boolean | '';
  camera?: string;
  theme?: 'light' | 'dark';
  texts?: FaceLogin['texts'];
  getTicket?: FaceLogin['getTicket'];
}

declare global {
  interface HTMLElementTagNameMap {
    'face-login': FaceLogin;
  }
  interface HTMLElementEventMap extends FaceLoginEventMap {}
}

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'face-login': FaceLoginAttributes & { ref?: unknown, key?: string | number, lang?: string, className?: string, children?: unknown };
    }
  }
}

declare module 'vue' {
  interface GlobalComponents {
    'face-login': new () => { $props: FaceLoginAttributes };
  }
}
