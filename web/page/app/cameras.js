/**
 * Which cameras there are, by names that tell front from back.
 *
 * In:  what the browser says of its devices. Out: (id, name) each. Browsers tell them once a camera was allowed.
 */

/** What a person calls the ways that a phone's cameras face. @type {Record<string, string>} */
const FACING = { user: "front", environment: "back" };

/** @returns {Promise<{id: string, name: string}[]>} */
export async function camerasThere() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices
    .filter(({ kind, deviceId }) => kind === "videoinput" && deviceId)
    .map((device, i) => ({ id: device.deviceId, name: cameraName(device, i) }));
}

/**
 * Its own name, with the way it faces where the browser knows that and the name does not say it.
 * @param {MediaDeviceInfo} device @param {number} number
 */
export function cameraName(device, number) {
  const name = device.label || `camera ${number}`;
  const [facing] = /** @type {any} */ (device).getCapabilities?.().facingMode ?? [];
  const word = FACING[facing];
  return word && !name.toLowerCase().includes(word) ? `${name} (${word})` : name;
}
