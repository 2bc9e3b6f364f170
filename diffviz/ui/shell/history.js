// Only what the reader does makes an entry in the browser's history.  A page that is opened by its bare
// name writes what it shows into the address by itself, and a player tells where it has come to rest:
// then the address takes the place of the one before, so that Back leads to where the reader was.  A
// link that is pressed leads away: what the page still says of itself meanwhile is no entry either.
(() => {
  if ("diffvizHistory" in window) return;
  const { history } = window;
  const push = history.pushState.bind(history);
  let touched = false;
  const leads = (/** @type {EventTarget} */ node) => node instanceof HTMLAnchorElement;
  const touch = (/** @type {Event} */ event) => {
    touched = touched || (event.isTrusted && !event.composedPath().some(leads));
  };
  for (const kind of ["pointerdown", "keydown"]) window.addEventListener(kind, touch, { capture: true });
  history.pushState = (state, title, url) => {
    const path = new URL(url || "", window.location.href).pathname;
    const elsewhere = path !== window.location.pathname;
    if (elsewhere || touched) push(state, title, url);
    else history.replaceState(state, title, url);
    if (elsewhere) touched = false;
  };
  Object.assign(window, { diffvizHistory: true });
})();
