import { fileURLToPath } from 'node:url';
import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const SOURCES = ['{proto,shared,coordinator,worker}/src/**/*.ts', 'coordinator/page/src/**/*.ts'];
const TESTS = ['**/*.test.ts', '**/{testing,fixtures}/**/*.ts', 'test/**/*.ts'];
const SCRIPTS = ['**/*.{js,mjs}'];

const program = fileURLToPath(new URL('./test/tsconfig.json', import.meta.url));
/** What runs in a browser has another library of types. */
const page = fileURLToPath(new URL('./coordinator/page/tsconfig.json', import.meta.url));

const UNTYPED_THROW = {
  selector: 'ThrowStatement > :matches(NewExpression, CallExpression)[callee.name=/^(Error|TypeError|RangeError)$/]',
  message:
    'Throw a family of @shardex/shared/errors: it carries a tag, says whether a retry helps, and gives the user a hint.',
};
const STRING_ENUM = {
  selector: 'TSEnumDeclaration',
  message: 'Use a union of string literals: it needs no run-time object.',
};

/** Where a pure state machine would get its inputs behind its caller's back. */
const HIDDEN_INPUTS = [
  { selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']", message: 'Inject the clock.' },
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Inject the clock.' },
  { selector: "CallExpression[callee.object.name='performance']", message: 'Inject the clock.' },
  {
    selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']",
    message: 'Inject random numbers.',
  },
];

export default defineConfig(
  {
    ignores: [
      '**/dist/**',
      '**/node_modules/**',
      'proto/src/gen/**',
      // AssemblyScript: another language in the same clothes; its own compiler checks it.
      'shared/assembly/**/*.ts',
      'demo-output/**',
      'coverage/**',
    ],
  },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: [program] } },
    rules: {
      // Cycles and rooms are held by test/structure: it takes a tenth of a second there and ten seconds here.
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^@shardex/[^/]+/(src|dist)(/|$)|/(proto|shared|coordinator|worker)/(src|dist)/',
              message: 'Import a public entry of the package, such as @shardex/shared/errors.',
            },
          ],
        },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/naming-convention': [
        'error',
        { selector: 'default', format: ['camelCase'], leadingUnderscore: 'allow' },
        { selector: 'import', format: null },
        {
          selector: 'variable',
          modifiers: ['const'],
          format: ['camelCase', 'UPPER_CASE', 'PascalCase'],
          leadingUnderscore: 'allow',
        },
        { selector: 'variable', format: ['camelCase'] },
        { selector: 'typeLike', format: ['PascalCase'] },
        // Names of files' fields, wire messages and numbered statuses come from elsewhere.
        {
          selector: [
            'property',
            'objectLiteralProperty',
            'typeProperty',
            'typeMethod',
            'enumMember',
            'objectLiteralMethod',
          ],
          format: null,
        },
        { selector: ['variable', 'parameter'], modifiers: ['destructured'], format: null },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // A number or a boolean in a message is what it looks like; objects still have to say how.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // An async method of a port may well have nothing to wait for.
      '@typescript-eslint/require-await': 'off',
      // Constants stand as their source prints them, so that they can be compared digit by digit.
      'no-loss-of-precision': 'off',
      // What was caught is thrown on as it is.
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingUnknown: true, allowThrowingAny: false }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['coordinator/page/src/**/*.ts'],
    languageOptions: { parserOptions: { project: [page] } },
  },
  {
    files: SOURCES,
    rules: {
      'no-console': 'error',
      'no-restricted-syntax': ['error', UNTYPED_THROW, STRING_ENUM],
    },
  },
  {
    files: ['{coordinator,worker}/src/domain/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['setTimeout', 'setInterval', 'setImmediate', 'process', 'fetch', 'crypto'].map((name) => ({
          name,
          message: 'The domain is pure: events in, effects out.',
        })),
      ],
      'no-restricted-syntax': ['error', UNTYPED_THROW, STRING_ENUM, ...HIDDEN_INPUTS],
    },
  },
  {
    files: TESTS,
    rules: {
      'no-console': 'off',
      'no-restricted-globals': 'off',
      'no-restricted-syntax': 'off',
      // Tests read JSON of other tools and spy on what they please.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: SCRIPTS,
    languageOptions: {
      globals: Object.fromEntries(
        [
          'process',
          'console',
          'URL',
          'Buffer',
          'performance',
          'setTimeout',
          'clearTimeout',
          'setInterval',
          'clearInterval',
          'setImmediate',
          'fetch',
          'TextDecoder',
        ].map((name) => [name, 'readonly']),
      ),
    },
  },
);
