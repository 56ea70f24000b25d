import { join } from 'node:path';
import { playScripts } from '../../support/scripts.ts';
import { Stage } from './stage.ts';

playScripts(join(import.meta.dirname, 'scripts'), () => new Stage());
