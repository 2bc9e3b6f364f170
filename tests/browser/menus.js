// What every widget on the page shows, by its key: a number, a text, the chosen word or words, on or off.
() => {
  const shown = {};
  const keyOf = (node) => {
    const name = [...(node.closest('[class*="st-key-"]')?.classList || [])].find((c) => c.startsWith("st-key-"));
    return name ? name.slice(7).replace(/-\d+$/, "") : "?"; // a widget that was replaced has a number behind its key
  };
  const each = (kind, read) => {
    for (const node of document.querySelectorAll(`[data-testid="${kind}"]`)) {
      if (node.getClientRects().length) shown[keyOf(node)] = read(node);
    }
  };
  const on = (button) => button.getAttribute("aria-checked") === "true" || button.getAttribute("aria-pressed") === "true";
  each("stNumberInput", (node) => node.querySelector("input").value);
  each("stTextInput", (node) => node.querySelector("input").value);
  each("stSelectbox", (node) => node.querySelector("input").value || node.innerText.split("\n").pop());
  for (const host of document.querySelectorAll('[class*="st-key-knob_"] *')) {
    const knob = host.shadowRoot?.querySelector(".dvk-range");
    if (knob && host.getClientRects().length) shown[keyOf(host)] = knob.getAttribute("aria-valuetext");
  }
  each("stCheckbox", (node) => (node.querySelector("input").checked ? "on" : "off"));
  each("stButtonGroup", (node) => [...node.querySelectorAll("button")].filter(on).map((b) => b.innerText.trim()).join(", "));
  return shown;
}
