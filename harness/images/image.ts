/** Guest images: what other parts use. */
export { buildImage } from './build.js';
export { BrokenImageError, type ImageManifest } from './manifest.js';
export { acceleratorFor, qemuFor, type Qemu } from './qemu.js';
export { holdFiles } from './holding.js';
export { findImage, heldFile, listImages, removeImage, type ListedImage, type VmImage } from './store.js';
