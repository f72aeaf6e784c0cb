import ts from 'typescript';

const BUILT_IN = new Set([
  'Error',
  'TypeError',
  'RangeError',
  'SyntaxError',
  'EvalError',
  'URIError',
  'AggregateError',
]);

/**
 * Lines of the `throw` statements that raise something without a tag: a built-in error, called with or without `new`, or
 * a value that is no object. Throwing a variable is allowed: it was caught, or a factory made it.
 */
export const untypedThrows = (path: string, text: string): number[] => {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  const lines: number[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isThrowStatement(node) && isUntyped(node.expression)) {
      lines.push(file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return lines;
};

const isUntyped = (thrown: ts.Expression): boolean => {
  if (ts.isNewExpression(thrown) || ts.isCallExpression(thrown)) return BUILT_IN.has(thrown.expression.getText());
  return ts.isLiteralExpression(thrown) || ts.isTemplateExpression(thrown) || ts.isObjectLiteralExpression(thrown);
};
