import { expect } from 'chai';
import { UsageError } from '../../../harness/core/errors.js';
import { emulates, qemuRule } from '../../../harness/images/qemu-version.js';
import { kernelNames, moduleLists, readRecipe } from '../../../harness/images/recipe.js';

describe('recipes of images', () => {
  it('are there for kernels by version, oldest first', () => {
    expect(kernelNames()).to.include.members(['6.1', '6.12']);
    expect(kernelNames().indexOf('6.1')).to.be.lessThan(kernelNames().indexOf('6.12'));
  });

  it('have ids that follow from all that goes in', () => {
    const one = readRecipe('6.1', 'bookworm');
    expect(one.id).to.match(/^6\.1-[0-9a-f]{10}$/);
    expect(readRecipe('6.1', 'bookworm').id).to.equal(one.id);
    expect(readRecipe('6.1', 'trixie').id).to.not.equal(one.id);
    const other = readRecipe('6.12', 'bookworm');
    expect(other.id.split('-')[1]).to.not.equal(one.id.split('-')[1]);
    expect(other.rootDigest).to.equal(one.rootDigest);
  });

  it('are made for packages too, from this release and its backports', () => {
    const recipe = readRecipe('linux-image-cloud-amd64', 'bookworm');
    expect(recipe.suites).to.deep.equal(['bookworm', 'bookworm-backports']);
    expect(recipe.package).to.equal('linux-image-cloud-amd64');
  });

  for (const name of ['5.99', '../6.1', 'linux-image-', 'linux-image-6.1/../x', '', 'bash']) {
    it(`are refused for "${name}", with what there is`, () => {
      expect(() => readRecipe(name, 'bookworm'))
        .to.throw(UsageError)
        .with.property('remedy')
        .that.includes('6.1, 6.12');
    });
  }

  it('name modules for every boot and for the network', () => {
    expect(moduleLists('# x\n[boot]\next4 # y\nxfs?\n\n[network]\nvirtio_net\n')).to.deep.equal({
      boot: ['ext4', 'xfs?'],
      network: ['virtio_net'],
    });
  });
});

describe('which QEMU may emulate a processor for a kernel', () => {
  const rule = qemuRule();
  const cases: [string, string, boolean][] = [
    ['7.2.22', '6.1.0-56-amd64', true],
    ['7.2.22', '5.10.0-9-amd64', true],
    ['7.2.22', '6.12.95+deb12-amd64', false],
    ['7.2.22', '7.0.1', false],
    ['10.0.2', '6.12.95+deb12-amd64', true],
  ];
  for (const [version, release, right] of cases) {
    it(`${version} ${right ? 'may' : 'must not'} run ${release}`, () => {
      expect(emulates(version, release, rule)).to.equal(right);
    });
  }
});
