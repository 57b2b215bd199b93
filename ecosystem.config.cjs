// pm2: `pm2 start ecosystem.config.cjs`. BigCache forks and supervises its own workers, so pm2 runs one
// instance in fork mode; docs/deploying.md says why each line is here.
module.exports = {
  apps: [
    {
      name: 'bigcache',
      script: 'dist/primary.js',
      cwd: __dirname,
      exec_mode: 'fork',
      instances: 1,
      // The primary sends `ready` when all workers listen; recovery of a large index may take a while.
      wait_ready: true,
      listen_timeout: 60000,
      // pm2 signals the whole tree at once; this must be longer than --drain-timeout.
      kill_timeout: 30000,
      // A crash on start (a full disk, a port in use) is retried with growing pauses.
      exp_backoff_restart_delay: 200,
      env: {
        NODE_ENV: 'production',
      },
    },
  ],
};
