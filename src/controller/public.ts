// `openweft/controller`: what a program that is a controller needs. The one file of the package that only passes on.

export { matchAll, W } from '../flow/key.ts';
export { OFPP } from '../openflow/action.ts';
export type { App, PacketInEvent } from './app.ts';
export { type Controller, type ControllerOptions, createController } from './controller.ts';
export { exactMatch } from './exact-match.ts';
export { hub, type LearningOptions, learning, sendMisses } from './learning.ts';
export type { FlowRequest, SwitchHandle } from './switch-handle.ts';
