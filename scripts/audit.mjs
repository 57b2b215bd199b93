// `npm run audit`: known vulnerabilities in the packages that ship, of any severity, fail it. A registry that
// keeps no list of them is said loudly, and is no failure.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const command = ['audit', '--omit', 'dev', '--json'];
const { stdout, stderr } = spawnSync('npm', command, { cwd: root, encoding: 'utf8' });

function reportOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

const { metadata, vulnerabilities = {}, message } = reportOf(stdout);
if (metadata?.vulnerabilities === undefined) {
  console.log('**************************************************************');
  console.log('* NOT AUDITED: this registry tells no known vulnerabilities. *');
  console.log('**************************************************************');
  console.log(message ?? stderr);
} else {
  for (const { name, severity, range } of Object.values(vulnerabilities)) {
    console.error(`${severity}: ${name} ${range}`);
  }
  const { total } = metadata.vulnerabilities;
  console.log(`${metadata.dependencies.prod} packages ship; ${total} known vulnerabilities`);
  if (total > 0) process.exitCode = 1;
}
