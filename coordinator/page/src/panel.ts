import { element } from './element.js';

/**
 * A part of the page that is made anew when what it shows has changed, and only then: scrolling, selections and open
 * details stay while nothing happens. Keyboard focus on a link stays on the link.
 */
export class Panel<Data> {
  readonly root = element('div');
  private shown = '';

  constructor(private readonly make: (data: Data) => readonly (Node | string | null)[]) {}

  show(data: Data): void {
    const text = JSON.stringify(data);
    if (text === this.shown) return;
    this.shown = text;
    const focused = document.activeElement;
    const href = this.root.contains(focused) ? focused?.getAttribute('href') : null;
    this.root.replaceChildren(...this.make(data).filter((child) => child !== null));
    if (href === null || href === undefined) return;
    this.root.querySelector<HTMLElement>(`a[href="${CSS.escape(href)}"]`)?.focus();
  }
}
