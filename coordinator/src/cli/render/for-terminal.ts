/** What we write ourselves (colours, a line cleared), or any other control character but tab, line feed and carriage return. */
// eslint-disable-next-line no-control-regex
const CONTROLS = /\u001b\[(?:\d+m|2K)|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g;

/**
 * Text that may be shown on a terminal. Labels, names and messages come from files and servers of others, and a terminal does
 * more than show what control characters tell it to: they come out as `\x1b`.
 */
export const forTerminal = (text: string): string =>
  text.replace(CONTROLS, (found) =>
    found.length > 1 ? found : `\\x${found.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
