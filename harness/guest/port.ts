/** A virtio-serial port as a stream of bytes both ways. */
import { openSync, read, write } from 'node:fs';
import { Duplex } from 'node:stream';

const pieceBytes = 64 * 1024;
/** How long to wait while nobody is at the other end, milliseconds. */
const patience = 20;

/** Opens a port. It never ends by itself: the controller may leave and come again. */
export function openPort(device: string): Duplex {
  const fd = openSync(device, 'r+');
  const buffer = Buffer.alloc(pieceBytes);
  const listen = () => {
    read(fd, buffer, 0, pieceBytes, null, (error, count) => {
      if (error !== null && error.code !== 'EINTR') port.destroy(error);
      else if (count > 0) port.push(Buffer.from(buffer.subarray(0, count)));
      else setTimeout(listen, patience);
    });
  };
  const port = new Duplex({
    read: listen,
    write(chunk: Buffer, _encoding, done) {
      let sent = 0;
      const next = () => {
        write(fd, chunk, sent, chunk.length - sent, null, (error, count) => {
          if (error?.code === 'EPIPE' || error?.code === 'EAGAIN') {
            setTimeout(next, patience); // nobody is there yet
            return;
          }
          if (error !== null) {
            done(error);
            return;
          }
          sent += count;
          if (sent < chunk.length) next();
          else done();
        });
      };
      next();
    },
  });
  return port;
}
