type Child = Node | string | null;

/** Attributes by name; a function is a listener of the event, `true` an attribute without value, `false` and null none. */
type Attributes = Readonly<Record<string, string | number | boolean | null | ((event: Event) => void)>>;

/** An HTML element with attributes, listeners and children. Text is text: no name from a file becomes markup. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value !== null) made.setAttribute(name, String(value));
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** A section with a heading that names it. */
export function section(title: string, ...children: readonly Child[]): HTMLElement {
  const heading = element('h2', {}, title);
  return element('section', { 'aria-label': title }, heading, ...children);
}

/** Facts as term and description; those without a value are left out. */
export function facts(entries: readonly (readonly [string, string | Node | null])[]): HTMLElement {
  const pairs = entries.flatMap(([term, value]) =>
    value === null || value === '' ? [] : [element('div', {}, element('dt', {}, term), element('dd', {}, value))],
  );
  return element('dl', { class: 'facts' }, ...pairs);
}
