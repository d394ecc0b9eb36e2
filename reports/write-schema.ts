/** Writes docs/report.schema.json: `npx tsx reports/write-schema.ts`. */
import { jsonSchemaText } from './json-schema.js';
import { writeReport } from './io.js';

writeReport('docs/report.schema.json', jsonSchemaText());
