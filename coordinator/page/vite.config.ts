import { defineConfig } from 'vite';

/** One script and one style sheet with fixed names: the coordinator serves them, `shardex report` puts them into its file. */
export default defineConfig({
  build: {
    outDir: '../dist/page',
    emptyOutDir: true,
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: 'src/main.ts',
      output: { entryFileNames: 'page.js', assetFileNames: 'page.[ext]', codeSplitting: false },
    },
  },
});
