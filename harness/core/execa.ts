/**
 * execa, loaded when it is first needed. It is most of what the agent of a guest has to load, and in an emulated guest that
 * is five seconds in which nothing is tested.
 */
export const loadExeca = (): Promise<typeof import('execa')> => import('execa');
