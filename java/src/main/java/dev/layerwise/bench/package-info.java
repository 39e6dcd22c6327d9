/** How fast training is: whole steps, and where the time of one goes. */
package dev.layerwise.bench;
