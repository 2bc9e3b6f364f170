// Elements of the page.

/** @typedef {string | number | boolean | null | undefined | Function | Record<string, string>} Prop */

/**
 * An element: el("button", {class: "x", "aria-label": "Play", onclick: f}, child, "text").
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, Prop>} props
 * @param {...(Node | string | null | undefined)} children
 */
export function el(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children);
}

/**
 * The same for an element of a picture.
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, Prop>} props
 * @param {...(Node | string | null | undefined)} children
 */
export function svg(tag, props = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

/**
 * @template {Element} E
 * @param {E} node
 * @param {Record<string, Prop>} props
 * @param {(Node | string | null | undefined)[]} children
 */
function filled(node, props, children) {
  setAll(node, props);
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

/**
 * Set attributes, listeners ("onclick") and, from an object, style; null and false take one away.
 * @param {any} node
 * @param {Record<string, any>} props
 */
export function setAll(node, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) node.removeAttribute(name);
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style" && typeof value === "object") Object.assign(node.style, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
}

/**
 * Set text only when it differs, so that a frame that changes nothing costs nothing.
 * @param {any} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.lastText === text) return;
  node.lastText = text;
  node.textContent = text;
}

/**
 * What a component exports: it keeps one view per mounted element, however often it is run, and
 * lets go of it when the last run is taken away (an earlier one may be, when its script came late).
 * @template {{token?: number, update: Function, dispose: () => void}} V
 * @param {(parent: HTMLElement, data: any) => V} create
 * @param {(view: V, data: any) => boolean} fits whether a view can show other data
 */
export function mounted(create, fits = () => true) {
  /** @type {WeakMap<HTMLElement, V>} */
  const views = new WeakMap();
  /** @param {any} component */
  return ({ data, parentElement, setStateValue, setTriggerValue }) => {
    let view = views.get(parentElement);
    if (view && !fits(view, data)) {
      view.dispose();
      view = undefined;
    }
    const shown = view || create(parentElement, data);
    views.set(parentElement, shown);
    shown.update(data, setStateValue, setTriggerValue);
    const token = (shown.token || 0) + 1;
    shown.token = token;
    return () => {
      if (shown.token !== token) return; // a later run still uses the view
      shown.dispose();
      views.delete(parentElement);
    };
  };
}
