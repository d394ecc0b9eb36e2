import { expect } from 'chai';
import {
  debianRelease,
  debName,
  mirrorsOf,
  sourceLines,
  transportConfig,
} from '../../../harness/images/apt.js';

describe('the mirrors of this machine', () => {
  it('are those that serve its release', () => {
    const targets = `https://deb.example/node nodistro main
http://mirror.example/debian/ bookworm contrib
http://mirror.example/debian/ bookworm main
http://mirror.example/security bookworm-security main
`;
    expect(mirrorsOf(targets, 'bookworm')).to.deep.equal({
      main: 'http://mirror.example/debian',
      security: 'http://mirror.example/security',
    });
  });

  it('are those of Debian where none is known, and give no security updates beside a mirror that has none', () => {
    expect(mirrorsOf('', 'bookworm').main).to.equal('http://deb.debian.org/debian');
    expect(mirrorsOf('', 'bookworm').security).to.equal('http://deb.debian.org/debian-security');
    expect(mirrorsOf('http://m/d stable main', 'bookworm')).to.deep.equal({
      main: 'http://m/d',
      security: null,
    });
  });

  it('have security updates for releases, and none for backports', () => {
    const mirrors = { suite: 'bookworm', main: 'http://m', security: 'http://s', config: '' };
    expect(sourceLines(mirrors, 'bookworm')).to.deep.equal([
      'deb http://m bookworm main',
      'deb http://s bookworm-security main',
    ]);
    expect(sourceLines(mirrors, 'bookworm-backports')).to.deep.equal([
      'deb http://m bookworm-backports main',
    ]);
    expect(sourceLines({ ...mirrors, security: null }, 'trixie')).to.deep.equal(['deb http://m trixie main']);
  });

  it('are reached by the proxies of this machine, and checked as strictly as elsewhere', () => {
    const dump = `Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::http::Proxy::mirror.example "DIRECT";
Acquire::https::Verify-Peer "false";
Acquire::ForceIPv4 "true";
Acquire::Languages "none";
Acquire::AllowInsecureRepositories "1";
`;
    expect(transportConfig(dump).split('\n')).to.deep.equal([
      'Acquire::http::Proxy "http://proxy.example:3128";',
      'Acquire::http::Proxy::mirror.example "DIRECT";',
      'Acquire::ForceIPv4 "true";',
    ]);
  });
});

describe('names of Debian', () => {
  it('tell its release from that of others', () => {
    expect(debianRelease('ID=debian\nVERSION_CODENAME=bookworm\n')).to.equal('bookworm');
    expect(debianRelease('ID="debian"\nVERSION_CODENAME="trixie"\n')).to.equal('trixie');
    expect(debianRelease('ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n')).to.equal(null);
  });

  it('tell a package and its version', () => {
    expect(debName('qemu-system-x86_1%3a10.0.2+ds-2_amd64.deb')).to.deep.equal({
      package: 'qemu-system-x86',
      version: '1:10.0.2+ds-2',
    });
  });
});
