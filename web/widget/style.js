// How the element looks: one style sheet for the shadow root.
// No rendering here. Colours are custom properties of the host, so a page themes them from outside;
// every pair of text and ground below has a contrast of at least 4.5:1 (WCAG 2.2, 1.4.3), held by tests/web/style.test.mjs.

/** The colours of the two schemes; `--face-login-*` of the page win over them. */
export const COLORS = Object.freeze({
  light: { background: '#ffffff', color: '#1c2230', muted: '#545d70', line: '#c9cfdb', accent: '#2454d6', on_accent: '#ffffff', success: '#17723b', danger: '#b3261e', stage: '#eef1f6' },
  dark: { background: '#171a21', color: '#eef1f7', muted: '#aab3c5', line: '#414a5c', accent: '#8fb0ff', on_accent: '#10131a', success: '#6fd596', danger: '#ff9d94', stage: '#222732' },
});

/** @param {Record<string, string>} colors */
const variables = (colors) => Object.entries(colors).map(([name, value]) => `--${name}:var(--face-login-${name.replace('_', '-')},${value});`).join('');

export const CSS = `
:host{display:block;box-sizing:border-box;width:100%;min-width:0;max-width:var(--face-login-max-width,380px);font:var(--face-login-font,1rem/1.45 system-ui,sans-serif);color-scheme:light;${variables(COLORS.light)}}
@media (prefers-color-scheme:dark){:host(:not([theme=light])){color-scheme:dark;${variables(COLORS.dark)}}}
:host([theme=dark]){color-scheme:dark;${variables(COLORS.dark)}}
:host([hidden]),[hidden]{display:none!important}
*{box-sizing:border-box}
.frame{position:relative;display:flex;flex-direction:column;align-items:center;gap:.85em;min-height:var(--face-login-min-height,31em);padding:clamp(.75em,5vw,1.4em);background:var(--background);color:var(--color);border:1px solid var(--line);border-radius:var(--face-login-radius,16px)}
.quiet>*{visibility:hidden}
.light{position:fixed;inset:0;z-index:2147483646}
.light:not([hidden])+.frame{position:relative;z-index:2147483647;background:none;border-color:transparent;color:#000}
.light:not([hidden])+.frame :is(.ring,.track){stroke:#000!important}
.light:not([hidden])+.frame .buttons button{background:#fff;color:#000;border-color:#000}
.stage{position:relative;flex:1 1 5.5em;width:100%;max-height:320px;margin:auto}
.words{display:flex;flex-direction:column;align-items:center;gap:.85em;width:100%}
.oval{position:absolute;top:4%;height:92%;aspect-ratio:69/92;left:50%;transform:translateX(-50%);overflow:hidden;border-radius:50%;background:var(--stage)}
video{display:block;width:100%;height:100%;object-fit:cover}
.mirrored{transform:scaleX(-1)}
svg{position:absolute;inset:0;width:100%;height:100%;fill:none;stroke-linecap:round;stroke-linejoin:round;pointer-events:none}
.track{stroke:var(--line);stroke-width:6}
.ring{stroke:var(--accent);stroke-width:6;stroke-dasharray:0 100;opacity:0;transition:stroke-dasharray .25s linear}
.mark{stroke:var(--muted);stroke-width:8;display:none}
[data-state=idle] .face,[data-state=preparing] .face,[data-state=asking_camera] .face,[data-state=cancelled] .face,[data-state=accepted] .tick,[data-state=rejected] .cross,[data-state=failed] .cross,[data-state=expired] .clock{display:block}
:is([data-state=gathering],[data-state=accepted],[data-state=connecting],[data-state=preparing],[data-state=asking_camera],[data-state=waiting]) .ring{opacity:1}
:is([data-state=connecting],[data-state=preparing],[data-state=asking_camera],[data-state=waiting]) .ring{stroke-dasharray:12 88;animation:go 1.4s linear infinite}
[data-state=waiting] .ring{animation-duration:4s}
[data-state=framing] .track{stroke:var(--accent);stroke-dasharray:2.2 2.8}
[data-state=accepted] :is(.ring,.tick){stroke:var(--success)}
:is([data-state=rejected],[data-state=failed],[data-state=expired]) :is(.track,.mark){stroke:var(--danger)}
@keyframes go{to{stroke-dashoffset:-100}}
.says{margin:0;min-height:2.9em;display:grid;place-items:center;text-align:center;text-wrap:balance;overflow-wrap:anywhere}
.says b{display:block;font-weight:600}
.frame:not([data-hint=""]) b::before{content:"!"/"";display:inline-block;width:1.5em;margin-inline-end:.5em;border-radius:50%;background:var(--color);color:var(--background);text-align:center}
.frame[data-hint=turn_left] b::before{content:"←"/""}.frame[data-hint=turn_right] b::before{content:"→"/""}.frame[data-hint=look_up] b::before{content:"↑"/""}.frame[data-hint=look_down] b::before{content:"↓"/""}
.wait{margin:0;text-align:center;text-wrap:balance;font-variant-numeric:tabular-nums}
.told{position:absolute;width:1px;height:1px;margin:0;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.notice{margin:0;color:var(--muted);font-size:.875em;text-align:center}
.notice::before{content:"";display:inline-block;width:.65em;height:.65em;margin-inline-end:.45em;border-radius:50%;background:var(--danger)}
.buttons{display:flex;flex-wrap:wrap;justify-content:center;gap:.6em;width:100%}
button,select{font:inherit;min-height:44px;border-radius:calc(var(--face-login-radius,16px)*.6);border:1px solid var(--muted);background:var(--background);color:var(--color)}
button{padding:.5em 1.4em;font-weight:600;cursor:pointer}
:disabled{opacity:.6;cursor:default}
.primary{background:var(--accent);border-color:var(--accent);color:var(--on_accent)}
.choice{display:grid;gap:.25em;width:100%;font-size:.875em}
label{color:var(--muted)}
select{width:100%;padding:.3em .6em}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
@media (max-height:480px) and (min-width:480px){:host{max-width:var(--face-login-max-width,640px)}.frame{flex-direction:row;min-height:min(100svh,21em);padding:.6em}.stage{flex:0 0 40%;align-self:stretch;margin:0}.words{flex:1;min-width:0;gap:.5em}.says{min-height:0}}
@media (prefers-reduced-motion:reduce){.ring{transition:none;animation:none!important}}
@media (forced-colors:active){.track{stroke:GrayText}:is(.ring,.mark),[data-state=framing] .track{stroke:Highlight!important}:is([data-state=rejected],[data-state=failed],[data-state=expired]) :is(.track,.mark){stroke:CanvasText!important}.primary{forced-color-adjust:none;background:Highlight;border-color:Highlight;color:HighlightText}}
`;

/**
 * Give a shadow root its style. A constructed sheet needs no `style-src 'unsafe-inline'` in the page's CSP.
 * @param {ShadowRoot} root
 * @param {string} [css]  beside what it has
 */
export function dress(root, css = CSS) {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
  } catch { // Safari before 16.4 has no constructed sheets
    const style = document.createElement('style');
    style.textContent = css;
    root.prepend(style);
  }
}
