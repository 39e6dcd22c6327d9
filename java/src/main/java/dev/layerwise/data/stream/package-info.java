/** Images that are too many for the memory: read, decoded and cut to size while a network trains on those before. */
package dev.layerwise.data.stream;
