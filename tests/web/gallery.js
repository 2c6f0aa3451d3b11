// A view of its own and every state and end that there is, so that none needs an attempt: `window.gallery` within a page of tests/web/pages.py.
(async ([server, language, width, cameras]) => {
  const { View } = await import(`${server}/web/view.js`);
  const { START, STATES } = await import(`${server}/web/state.js`);
  const texts = await import(`${server}/web/texts.js`);
  const { words } = await import(`${server}/web/page/ends.js`);
  const { HINTS, REASONS } = await import(`${server}/web/protocol.js`);
  await texts.load(language);
  await texts.loadEnds();
  const host = document.createElement('div');
  document.body.replaceChildren(host);
  document.body.style.margin = 0;
  host.style.width = `${width}px`;
  const view = new View(host.attachShadow({ mode: 'open' }), {});
  view.layer.hidden = true;
  view.show(null);
  const problems = Object.keys(words).filter((key) => key.startsWith('problem_')).map((key) => key.slice(8));
  const models = [
    ...STATES.filter((state) => !['consenting', 'failed', 'rejected', 'expired'].includes(state)).map((state) => ({ state })),
    { state: 'gathering', progress: 0.5 },
    { state: 'cancelled', retry: true },
    ...problems.flatMap((problem) => [true, false].map((retry) => ({ state: 'failed', problem, retry, again_s: problem === 'too_many_failures' ? 30 : null }))),
    ...REASONS.flatMap((reason) => ['rejected', 'expired'].map((state) => ({ state, reasons: [reason], retry: true }))),
    ...HINTS.flatMap((hint) => [{ state: 'expired', reasons: ['timeout'], hint, retry: true }, { state: 'framing', hint }]),
  ];
  const many = [{ id: 'a', label: 'One' }, { id: 'b', label: 'Two' }];
  const show = (model) => view.render({ ...START, ...model }, { language, own: {}, cameras: cameras ? many : [], cameraId: '' });
  window.gallery = { host, models, show };
  return models.length;
})
