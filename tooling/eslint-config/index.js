// Lint rules of the whole workspace. The compiler keeps sockets, timers and globals out of
// src/protocol (tsconfig.protocol.json has neither Node nor DOM types); what it cannot see,
// Date, Math.random and wrong imports, is refused here.
import tseslint from 'typescript-eslint'

const impureGlobals = [
  { name: 'Date', message: 'Protocol code gets the time as an argument.' },
  { name: 'setTimeout', message: 'Protocol code gets its deadlines from nextDeadline().' },
  { name: 'setInterval', message: 'Protocol code gets its deadlines from nextDeadline().' },
  { name: 'setImmediate', message: 'Protocol code gets its deadlines from nextDeadline().' },
  { name: 'queueMicrotask', message: 'Protocol code returns effects; nothing runs later.' },
  { name: 'process', message: 'Protocol code runs in a browser and in the simulator.' },
  { name: 'Buffer', message: 'Protocol code uses Uint8Array.' },
  { name: 'performance', message: 'Protocol code gets the time as an argument.' },
  { name: 'crypto', message: 'Protocol code gets its randomness through the constructor.' },
  { name: 'console', message: 'Protocol code emits events; it never prints.' },
]

const impureProperties = [
  { object: 'Date', property: 'now', message: 'Protocol code gets the time as an argument.' },
  {
    object: 'Math',
    property: 'random',
    message: 'Protocol code gets its randomness through the constructor.',
  },
  { object: 'globalThis', property: 'setTimeout', message: 'Protocol code has no timers.' },
  {
    object: 'globalThis',
    property: 'Date',
    message: 'Protocol code gets the time as an argument.',
  },
]

const purityRules = {
  'no-restricted-globals': ['error', ...impureGlobals],
  'no-restricted-properties': ['error', ...impureProperties],
  'no-restricted-syntax': [
    'error',
    { selector: 'ExportAllDeclaration', message: 'Name what you export.' },
    { selector: 'ExportDefaultDeclaration', message: 'Use a named export.' },
    {
      selector: ":not(MemberExpression) > Identifier[name='Math']",
      message: 'Name the function: Math.max(…); Math.random is refused.',
    },
    {
      selector: "MemberExpression[object.name='Math'][computed=true]",
      message: 'Name the function: Math.max(…); Math.random is refused.',
    },
  ],
  'no-restricted-imports': [
    'error',
    {
      patterns: [
        { group: ['node:*'], message: 'Protocol code imports no Node module.' },
        {
          group: ['../*-node.ts', '../runtime.ts', '../transports/*'],
          message: 'Protocol code never imports its shell.',
        },
      ],
    },
  ],
}

/**
 * @param tsconfigRootDir folder above `packages`, `tooling` and `apps`
 * @param project the programs of all files together: what they share is parsed and checked once
 */
export const lintRules = (tsconfigRootDir, project) =>
  tseslint.config(
    { ignores: ['**/dist/**', '**/coverage/**', '**/*.js', '**/*.mjs', '**/*.cjs'] },
    tseslint.configs.base,
    {
      files: ['**/*.ts', '**/*.tsx'],
      languageOptions: {
        parserOptions: { project, tsconfigRootDir },
      },
      rules: {
        '@typescript-eslint/no-explicit-any': 'error',
        '@typescript-eslint/no-floating-promises': 'error',
        '@typescript-eslint/no-misused-promises': 'error',
        '@typescript-eslint/switch-exhaustiveness-check': [
          'error',
          { considerDefaultExhaustiveForUnions: true },
        ],
        '@typescript-eslint/consistent-type-imports': 'error',
        '@typescript-eslint/only-throw-error': 'error',
        'no-console': 'error',
        eqeqeq: 'error',
        'no-var': 'error',
        'prefer-const': 'error',
      },
    },
    {
      files: ['*/*/src/**/*.ts'],
      rules: {
        '@typescript-eslint/no-non-null-assertion': 'error',
        'no-restricted-syntax': [
          'error',
          { selector: 'ExportAllDeclaration', message: 'Name what you export.' },
          { selector: 'ExportDefaultDeclaration', message: 'Use a named export.' },
        ],
        'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
        'max-lines': ['error', { max: 600, skipBlankLines: false, skipComments: false }],
      },
    },
    {
      files: [
        '*/*/src/**/protocol/**/*.ts',
        '*/*/src/pickle/**/*.ts',
        // The serializer is pure throughout, what depends on the platform apart.
        'packages/serializer/src/**/*.ts',
      ],
      ignores: ['packages/serializer/src/platform/**'],
      rules: purityRules,
    },
  )
