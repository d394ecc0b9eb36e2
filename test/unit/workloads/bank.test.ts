import { bank } from '../../../workloads/bank.js';
import { battery } from '../../support/workload-battery.js';

describe('workload bank', () => {
  battery(bank);
});
