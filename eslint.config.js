import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

// Data flows one way: a folder may import only from those on its right.
const flow = [
  { target: './native', from: ['./workloads', './harness', './reports'] },
  { target: './workloads', from: ['./harness', './reports'] },
  { target: './harness/core', from: ['./harness/!(core)/**', './reports', './workloads', './native'] },
  {
    target: './harness/oracle',
    from: ['./harness/{campaign,cli,faults,rigs,store,trial,subjects}', './reports'],
  },
  { target: './harness/store', from: ['./harness/{campaign,cli,faults,rigs,trial,subjects}', './reports'] },
  { target: './harness/subjects', from: ['./harness/{campaign,cli,faults,rigs,store,trial}', './reports'] },
  { target: './harness/rigs', from: ['./harness/{campaign,cli,faults,store,trial}', './reports'] },
  {
    target: './harness/images',
    from: ['./harness/{campaign,cli,faults,trial,guest,vm,poweroff,host}', './reports'],
  },
  {
    target: './harness/guest',
    from: ['./harness/{campaign,cli,faults,store,trial,images,vm,poweroff,host}', './reports'],
  },
  {
    target: './harness/vm',
    from: ['./harness/{campaign,cli,faults,store,trial,poweroff,host}', './reports'],
  },
  { target: './harness/poweroff', from: ['./harness/{campaign,cli,host}', './reports'] },
  { target: './harness/host', from: ['./harness/{campaign,cli,poweroff}', './reports'] },
  { target: './harness/faults', from: ['./harness/{campaign,cli,store,trial}', './reports'] },
  { target: './harness/poweroff', from: ['./harness/{campaign,cli}', './reports'] },
  { target: './harness/trial', from: ['./harness/{campaign,cli}', './reports'] },
  { target: './harness/campaign', from: ['./harness/{cli,uml}', './reports'] },
  { target: './harness/uml', from: ['./harness/cli', './reports'] },
  { target: './reports', from: ['./harness/!(core)/**', './workloads', './native'] },
];

export default defineConfig(
  globalIgnores(['dist', 'build', 'coverage', 'node_modules', '.plugpull']),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: {
      'import-x/resolver-next': [
        importX.createNodeResolver({ extensions: ['.ts', '.js'], extensionAlias: { '.js': ['.ts', '.js'] } }),
      ],
    },
    rules: {
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': [
        'error',
        { zones: flow.flatMap(({ target, from }) => from.map((f) => ({ target, from: f }))) },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unused-expressions': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  { files: ['**/*.js'], languageOptions: { globals: { process: 'readonly', console: 'readonly' } } },
);
