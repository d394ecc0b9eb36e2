import { queue } from '../../../workloads/queue.js';
import { battery } from '../../support/workload-battery.js';

describe('workload queue', () => {
  battery(queue);
});
