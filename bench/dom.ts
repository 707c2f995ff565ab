/** Elements of the page by id, with their types; a missing one is a mistake of the page's own. */
function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${type.name} "${id}"`);
  return found;
}

export const block = (id: string): HTMLElement => element(id, HTMLElement);
export const button = (id: string): HTMLButtonElement => element(id, HTMLButtonElement);
export const field = (id: string): HTMLInputElement => element(id, HTMLInputElement);
export const choice = (id: string): HTMLSelectElement => element(id, HTMLSelectElement);

/** A new element with text, or with children. */
export function make<K extends keyof HTMLElementTagNameMap>(tag: K, content: string | readonly Node[] = "", className = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (typeof content === "string") made.textContent = content;
  else made.append(...content);
  return made;
}

export function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export const milliseconds = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
