/**
 * What the parts of the page hand to each other. Words and units are those of the Python side.
 *
 * @typedef {object} About Everything that Python says of the files (`web/about.py`); nothing of it is repeated here.
 * @property {{onnxruntime_web: string, network: string}} versions
 * @property {string} notice
 * @property {string} percentages what they say
 * @property {[string, string][]} keys (key, meaning)
 * @property {AboutDetector} detector
 * @property {AboutClassifier} classifier
 * @property {string[]} explainers those in closed form, the first is on at the start
 * @property {number} tiny under Grad-CAM++'s fraction
 * @property {[number, number, number][]} heat_colours (256, 3) RGB
 * @property {AboutTracking} tracking
 * @property {Record<string, any>} drawing numbers and colours of pipeline/drawing, by their Python names in lower case
 * @property {AboutPage} page
 * @property {AboutSample} sample
 * @property {string[]} log_columns
 * @property {string[]} log_last_columns behind one p_<class> a class
 * @property {string[]} log_formula what a spreadsheet would run, a cell that begins so
 *
 * @typedef {object} AboutDetector metadata of retinaface.onnx, and how it is used
 * @property {string} file
 * @property {number} conf
 * @property {number} iou_threshold
 * @property {number} containment
 * @property {number} voting_iou
 * @property {number} voting_share
 * @property {number} box_power
 * @property {number} near
 * @property {number} possible
 * @property {number} whole_score
 * @property {number} part
 * @property {number} alone
 * @property {number} same_iou
 * @property {number} candidates
 * @property {number} farthest pixels; what is farther away is no place
 * @property {number} max_faces
 *
 * @typedef {object} AboutClassifier metadata of emotion.onnx
 * @property {string} file
 * @property {string[]} class_names
 * @property {number[]} bias (K,) added to the logits: the class prior taken out of them
 * @property {number} temperature that they are then divided by
 * @property {{size_hw: [number, number], channels: number, mean: number[] | null, std: number[] | null}} preprocess
 * @property {number[]} luma
 * @property {number} standard_deviation_floor
 * @property {[number, number][]} crop_template
 * @property {number} finest
 * @property {number[][]} head (K, C)
 * @property {[number, number] | null} cells
 *
 * @typedef {object} AboutTracking constants of pipeline/{tracking,motion,appearance,scene}.py, names in lower case
 * @property {number} memory_s
 * @property {number} memory_frames
 * @property {number} reach
 * @property {number} reach_per_s
 * @property {number} farthest
 * @property {number} size_ratio
 * @property {number} size_ratio_per_s
 * @property {number} largest_ratio
 * @property {number} unseen_cost
 * @property {number} restart_frames
 * @property {number} restart_s
 * @property {number} alike
 * @property {number} alike_s
 * @property {number} intervals
 * @property {number} velocity_s
 * @property {number} coast_s
 * @property {number} smooth_s
 * @property {number} min_cutoff_hz
 * @property {number} beta
 * @property {number} d_cutoff_hz
 * @property {number[]} luma
 * @property {Record<string, number>} appearance
 * @property {Record<string, number>} scene
 *
 * @typedef {object} AboutPage
 * @property {number} imgsz longer side of the searched frame
 * @property {number} small_imgsz the same where the full one is too slow
 * @property {number} still_imgsz the same for pictures
 * @property {number} longest_side of a picture or film frame; larger ones are reduced when they are opened
 * @property {number} reduced_said a frame that is searched more than so many times smaller: it is said
 * @property {number} wanted_fps
 * @property {number} message_s
 * @property {number} away_s a camera that gives no frame for so long is reported
 * @property {number} sentence_s between two for a screen reader
 * @property {number} shortest_s of an animation's picture: what asks for less gets the usual
 * @property {number} usual_s
 *
 * @typedef {object} AboutSample
 * @property {number} fps
 * @property {number} period
 * @property {[number, number]} size_hw
 * @property {string} wall
 * @property {Record<string, any>[]} photos
 *
 * @typedef {object} Frame
 * @property {Uint8ClampedArray<ArrayBuffer>} rgba (height, width, 4)
 * @property {number} width
 * @property {number} height
 *
 * @typedef {object} Face
 * @property {number[]} box left, top, right, bottom; pixels of the frame, pixel centres at .0
 * @property {number[][]} landmarks (5, 2) xy
 * @property {number} score
 *
 * @typedef {number[]} Matrix [a, b, tx, c, d, ty]: x' = a x + b y + tx, y' = c x + d y + ty
 *
 * @typedef {object} FaceResult
 * @property {Face} face
 * @property {number[]} probabilities (K,)
 * @property {string} label
 * @property {number} confidence
 * @property {Float32Array | null} heatmap (S, S) in [0, 1] over the crop
 * @property {string | null} explained the class that the heatmap is for
 * @property {Matrix} toCrop
 * @property {number} track 0 without tracking
 *
 * @typedef {object} FrameResult
 * @property {FaceResult[]} faces
 * @property {number} leftOut faces found that are more than `max_faces`
 * @property {number} cropSize side of crops and heatmaps
 * @property {number} searched longer side of the frame in which faces were searched for, pixels
 *
 * @typedef {object} PredictOptions
 * @property {string | null} explainer
 * @property {string | null} explainClass null: each face's label
 * @property {number} imgsz
 *
 * @typedef {object} Networks what runs the networks
 * @property {string} name in words
 * @property {() => Promise<void>} release
 * @property {(rgb: Uint8Array, height: number, width: number) => Promise<DetectorOutputs>} detect
 * @property {(input: Float32Array, dims: number[]) => Promise<ClassifierOutputs>} classify
 *
 * @typedef {object} DetectorOutputs of all A anchors
 * @property {Float32Array} scores (A,)
 * @property {Float32Array} boxes (A, 4) xyxy, pixels of the frame that was searched
 * @property {Float32Array} landmarks (A, 5, 2) xy
 *
 * @typedef {object} ClassifierOutputs
 * @property {Float32Array} logits (N, K)
 * @property {Float32Array} activation (N, C, h, w)
 * @property {number[]} dims of the activation
 */
export {};
