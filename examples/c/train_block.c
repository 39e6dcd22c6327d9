/* Trains one block with its local loss, through the C API of native/include/layerwise.h.
 *
 * A convolution block learns to tell images with a bright upper half from images with a bright lower half. It has its
 * own classifier, loss and optimizer and needs no other block.
 *
 * Build the libraries with 'mvn --projects java process-classes'. Then compile and run:
 *
 *     LIB=java/target/classes/dev/layerwise/nativelib/linux-x86_64
 *     cc -std=c11 -Wall -Wextra -I native/include examples/c/train_block.c -L $LIB -llayerwise -Wl,-rpath-link,$LIB
 *     LD_LIBRARY_PATH=$LIB ./a.out
 */
#include <stdio.h>
#include <stdlib.h>

#include "layerwise.h"

enum { SAMPLES = 64, SIDE = 8, CLASSES = 2, STEPS = 30 };

/* Every call returns a status. The message of the last failure says what went wrong. */
static void check(layerwise_status status) {
  if (status != LAYERWISE_OK) {
    fprintf(stderr, "train_block: %s\n", layerwise_error_message());
    exit(EXIT_FAILURE);
  }
}

/* Images in (N, C, H, W) order; the same on every machine. */
static void draw(float* images, int32_t* labels) {
  unsigned noise = 1;
  for (int n = 0; n < SAMPLES; ++n) {
    labels[n] = n % CLASSES;
    for (int y = 0; y < SIDE; ++y) {
      for (int x = 0; x < SIDE; ++x) {
        noise = noise * 1664525u + 1013904223u;
        const int bright = (y < SIDE / 2) == (labels[n] == 0);
        *images++ = (bright ? 0.5f : -0.5f) + (float)(noise >> 16) / 65536.0f - 0.5f;
      }
    }
  }
}

int main(void) {
  layerwise_context* context = NULL;
  layerwise_context_options options;
  layerwise_context_options_defaults(&options); /* the CPU, a thread per core */
  options.threads = 1;
  options.seed = 1;
  check(layerwise_context_create(&options, &context));

  layerwise_block_config config;
  layerwise_block_config_defaults(&config); /* 3×3 convolution, batch norm, ReLU, predsim, Adam */
  config.name = "block";
  config.geometry.in_channels = 1;
  config.geometry.in_height = config.geometry.in_width = SIDE;
  config.geometry.out_channels = 8;
  config.losses.classes = CLASSES;
  config.losses.dim_in_decoder = 64;
  layerwise_block* block = NULL;
  check(layerwise_block_create(context, &config, &block));

  float images[SAMPLES * SIDE * SIDE];
  int32_t classes[SAMPLES];
  draw(images, classes);
  layerwise_tensor *x = NULL, *labels = NULL;
  check(layerwise_tensor_create(context, images, SAMPLES, 1, SIDE, SIDE, &x));
  check(layerwise_labels_create(context, classes, SAMPLES, &labels));

  layerwise_metrics metrics = {0};
  for (int step = 0; step < STEPS; ++step) {
    layerwise_tensor* output = NULL; /* the next block's input */
    check(layerwise_context_set_step(context, (uint64_t)step, 5e-3));
    check(layerwise_block_train_step(block, x, labels, NULL, &output, NULL));
    layerwise_tensor_close(output);
    check(layerwise_block_metrics(block, &metrics));
    if (step % 10 == 0 || step == STEPS - 1) {
      printf("step %2d: similarity loss %.4f, prediction loss %.4f, %2.0f of %.0f wrong\n", step,
             metrics.similarity_loss / metrics.samples, metrics.prediction_loss / metrics.samples, metrics.errors, metrics.samples);
    }
  }

  layerwise_tensor* logits = NULL; /* from the block's local classifier, in evaluation mode */
  float scores[SAMPLES * CLASSES];
  check(layerwise_block_local_logits(block, x, NULL, NULL, &logits, NULL));
  check(layerwise_tensor_read(logits, scores, SAMPLES * CLASSES));
  int right = 0;
  for (int n = 0; n < SAMPLES; ++n) right += (scores[2 * n + 1] > scores[2 * n]) == classes[n];
  printf("%d of %d are correct\n", right, SAMPLES);

  layerwise_tensor_close(logits);
  layerwise_tensor_close(labels);
  layerwise_tensor_close(x);
  layerwise_block_close(block);
  layerwise_context_close(context);
  return right > SAMPLES * 9 / 10 ? EXIT_SUCCESS : EXIT_FAILURE;
}
