/**
 * Networks: how they are described, planned layer by layer, driven on a device ({@link dev.layerwise.model.DeviceNetwork})
 * and stored in files.
 */
package dev.layerwise.model;
