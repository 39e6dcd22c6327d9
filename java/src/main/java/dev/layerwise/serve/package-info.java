/** A model behind HTTP: requests of many clients, gathered into batches. */
package dev.layerwise.serve;
