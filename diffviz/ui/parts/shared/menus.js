// Which name of an open menu a hand, or a key, is on.

const OPEN = '[role="combobox"][aria-expanded="true"]';
const WATCHED = { subtree: true, attributes: true, attributeFilter: ["aria-activedescendant", "aria-expanded"] };

/**
 * Watch the page's menus.
 * @param {(menu: string, name: string) => void} told called with a menu's label and the name in it;
 *   with nothing when none is open any more
 * @param {AbortSignal} signal ends it
 */
export function watchMenus(told, signal) {
  let last = "";
  const look = () => {
    const open = document.querySelector(OPEN);
    const at = open && document.getElementById(open.getAttribute("aria-activedescendant") || "");
    const found = open && at ? [open.getAttribute("aria-label") || "", (at.textContent || "").trim()] : ["", ""];
    if (found.join("\n") === last) return;
    last = found.join("\n");
    told(found[0], found[1]);
  };
  const observer = new MutationObserver(look);
  observer.observe(document.body, WATCHED);
  signal.addEventListener("abort", () => observer.disconnect());
}
