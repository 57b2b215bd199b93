// Preloaded into a recorded server: its index changes its log every 64 KiB instead of every 16 MiB, so
// that a short run has logs that are closed, tables that are made of them, and names that come and go.
if (process.argv[1]?.endsWith('primary.js')) {
  const { INDEX_OPTIONS } = await import('../../../dist/primary/store/index/index-files.js');
  INDEX_OPTIONS.writeBufferSize = 64 * 1024;
}
