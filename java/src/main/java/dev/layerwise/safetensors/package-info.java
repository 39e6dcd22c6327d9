/** The safetensors format, in which weights and checkpoints are stored. Files are not trusted. */
package dev.layerwise.safetensors;
