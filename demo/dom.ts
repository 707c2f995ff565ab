/** Small helpers for the page's elements. */

/** The element with this id, of this type; a page without it is a fault of ours. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${type.name} "${id}"`);
  return found;
}

export const button = (id: string): HTMLButtonElement => byId(id, HTMLButtonElement);
export const input = (id: string): HTMLInputElement => byId(id, HTMLInputElement);
export const block = (id: string): HTMLElement => byId(id, HTMLElement);

/** The choices of a group of radio buttons. */
export const radios = (name: string): HTMLInputElement[] => [...document.querySelectorAll<HTMLInputElement>(`input[name="${name}"]`)];

export const chosen = (name: string): string | undefined => radios(name).find((radio) => radio.checked)?.value;
export function choose(name: string, value: string): void {
  for (const radio of radios(name)) radio.checked = radio.value === value;
}

/** Makes an element: a class, text or children, and attributes. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  content: string | readonly (Node | string)[] = "",
  attributes: Readonly<Record<string, string>> = {},
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...(typeof content === "string" ? [content] : content));
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export function makeButton(label: string, onClick: () => void, className = ""): HTMLButtonElement {
  const made = make("button", className, label, { type: "button" });
  made.addEventListener("click", onClick);
  return made;
}

/** Shows a message in an element that is hidden while there is none. */
export function say(element: HTMLElement, message: string): void {
  // Set only if it changes, so that screen readers do not say it again and again.
  if (element.textContent !== message) element.textContent = message;
  element.hidden = message === "";
}

/** Gives the visitor a file. */
export function download(file: Uint8Array<ArrayBuffer>, name: string): void {
  const url = URL.createObjectURL(new Blob([file], { type: "application/octet-stream" }));
  make("a", "", "", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export const count = (value: number): string => whole.format(Math.round(value));
export const compact = (value: number): string => (value < 1000 ? whole.format(Math.round(value)) : short.format(value));
