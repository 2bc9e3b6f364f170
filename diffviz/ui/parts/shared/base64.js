// Bytes as text.

/** @type {(text: string) => Uint8Array<ArrayBuffer>} */
export function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/** @type {(bytes: Iterable<number>) => string} */
export function textOf(bytes) {
  return btoa(String.fromCharCode(...bytes));
}

/** The same in the letters of an address, without padding. @type {(bytes: Iterable<number>) => string} */
export function wordOf(bytes) {
  return textOf(bytes).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
}

/** @type {(word: string) => Uint8Array<ArrayBuffer>} */
export function bytesOfWord(word) {
  return bytesOf(word.replaceAll("-", "+").replaceAll("_", "/"));
}
