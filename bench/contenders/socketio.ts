/**
 * Socket.IO with its Redis streams adapter and connection state recovery, and one SET per transition: an acknowledged
 * event that is answered once the service's snapshot bytes are stored. It has no chart, no lock and no turn.
 */
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { sampleSnapshot } from './write-bytes.ts';

const RECOVERY_MS = 120_000;
const IDLE_MS = 3_600_000;
const redis = new Redis(Number(process.env.CONTENDER_REDIS_PORT), '127.0.0.1');
const snapshot = sampleSnapshot('0b0e6a0e-1c1d-4b5f-8d3c-2f1e0d9c8b7a');
const http = createServer();
const io = new Server(http, {
  adapter: createAdapter(redis.duplicate()),
  connectionStateRecovery: { maxDisconnectionDuration: RECOVERY_MS },
  transports: ['websocket'],
});

const store = (id: string) => redis.set(`session:${id}`, snapshot, 'PX', IDLE_MS);

io.use((socket, next) => {
  store(socket.id).then(() => next(), next);
});
io.on('connection', (socket) => {
  socket.on('extend', (acknowledge: (reply: object) => void) => {
    store(socket.id).then(
      () => acknowledge({ expires_at: Date.now() + IDLE_MS }),
      () => socket.disconnect(true),
    );
  });
});
http.listen(0, '127.0.0.1', () => {
  const address = http.address();
  const port = typeof address === 'object' ? address?.port : null;
  console.log(JSON.stringify({ msg: 'listening', port }));
});
