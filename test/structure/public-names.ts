import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { repositoryRoot, targetOf } from './source-files.js';

/** Names of one declaration: a `const` may bind several. */
const declaredNames = (node: ts.Statement): string[] => {
  if (ts.isVariableStatement(node)) return node.declarationList.declarations.map(({ name }) => name.getText());
  if (
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isEnumDeclaration(node) ||
    ts.isModuleDeclaration(node)
  ) {
    return node.name === undefined ? ['default'] : [node.name.text];
  }
  return [];
};

const isExported = (node: ts.Statement): boolean =>
  ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);

/**
 * Every name that a module exports, values and types, sorted; `export *` of our own modules is followed, of an npm package it
 * appears as `* from <package>`.
 *
 * @param path of the source, relative to the repository's root
 */
export const publicNames = (path: string): string[] => {
  const text = readFileSync(join(repositoryRoot, path), 'utf8');
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  const names = file.statements.flatMap((node): string[] => {
    if (ts.isExportAssignment(node)) return ['default'];
    if (!ts.isExportDeclaration(node)) return isExported(node) ? declaredNames(node) : [];
    if (node.exportClause !== undefined) {
      return ts.isNamedExports(node.exportClause)
        ? node.exportClause.elements.map(({ name }) => name.text)
        : [node.exportClause.name.text];
    }
    const specifier = (node.moduleSpecifier as ts.StringLiteral).text;
    const target = targetOf(path, specifier);
    return target.kind === 'file' || target.kind === 'entry' ? publicNames(target.path) : [`* from ${specifier}`];
  });
  return [...new Set(names)].sort();
};
