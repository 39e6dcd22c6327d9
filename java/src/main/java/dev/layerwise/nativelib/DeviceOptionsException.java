package dev.layerwise.nativelib;

/** There is no device as the options ask for it: none of that name here, or it does not have what they want. */
public final class DeviceOptionsException extends DeviceUnavailableException {
  private static final long serialVersionUID = 1L;

  DeviceOptionsException(Throwable cause) {
    super(cause.getMessage(), cause);
  }
}
