// What the server colours (charts, sentences with a colour) is drawn anew when the reader, or the evening,
// turns the theme: Streamlit itself restyles only its own elements.
(() => {
  if ("diffvizScheme" in window) return;
  const app = document.querySelector("[data-testid=stApp]");
  if (!app) return;
  const SETTLED = 250;  // ms: only then the new colours are there, and the server is told of them
  const color = () => getComputedStyle(app).backgroundColor;
  let before = color();
  const turn = () => {
    const now = color();
    if (now === before) return;
    before = now;
    window.dispatchEvent(new PopStateEvent("popstate", { state: null }));  // runs the page again
  };
  const drawn = () => requestAnimationFrame(() => requestAnimationFrame(turn));  // colours glide
  const observer = new MutationObserver(() => setTimeout(drawn, SETTLED));
  observer.observe(app, { attributes: true, attributeFilter: ["class"] });
  Object.assign(window, { diffvizScheme: true });
})();
