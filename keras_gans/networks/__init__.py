"""Networks that several variants share: functions that build Keras models."""
