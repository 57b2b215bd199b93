// `npm run sbom`: writes dist/sbom.cdx.json, a bill of the packages that ship (CycloneDX 1.5), and fails
// where it does not agree with package-lock.json, or where a package names no license or no digest.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = `${root}dist/sbom.cdx.json`;
const own = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));

function bill() {
  const flags = ['--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
  const made = spawnSync('npm', ['sbom', ...flags], { cwd: root, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`npm sbom failed: ${made.stderr}`);
  const sbom = JSON.parse(made.stdout);
  // npm names it after its folder.
  sbom.metadata.component.name = own.name;
  return sbom;
}

/** `name@version` of all that is installed without the development packages; true where it must be there. */
function shipped() {
  const { packages } = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8'));
  const entries = Object.entries(packages).filter(
    ([path, entry]) => path !== '' && !entry.dev && !entry.devOptional,
  );
  return new Map(
    entries.map(([path, { version, optional }]) => [
      `${path.split('node_modules/').at(-1)}@${version}`,
      !optional,
    ]),
  );
}

/** Leaves out what is for development: `npm sbom --omit dev` leaves out too what development needs as well. */
function onlyShipped(sbom, ships) {
  const { 'bom-ref': self } = sbom.metadata.component;
  const isIn = (ref) => ref === self || ships.has(ref);
  const components = sbom.components.filter((one) => isIn(one['bom-ref']));
  const dependencies = sbom.dependencies
    .filter(({ ref }) => isIn(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter(isIn) }));
  return { ...sbom, components, dependencies };
}

function faultsOf(sbom, ships) {
  const named = new Set(sbom.components.map((one) => one['bom-ref']));
  const missing = [...ships].filter(([ref, isNeeded]) => isNeeded && !named.has(ref));
  const unlicensed = sbom.components.filter((one) => !one.licenses?.length);
  const unhashed = sbom.components.filter((one) => !one.hashes?.length);
  return [
    ...missing.map(([ref]) => `${ref} is in package-lock.json, and not in the bill`),
    ...unlicensed.map((one) => `${one['bom-ref']} names no license`),
    ...unhashed.map((one) => `${one['bom-ref']} has no digest`),
  ];
}

const ships = shipped();
const sbom = onlyShipped(bill(), ships);
const faults = faultsOf(sbom, ships);
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exit(1);
writeFileSync(target, `${JSON.stringify(sbom, null, 2)}\n`);
console.log(`${target}: ${sbom.components.length} packages`);
