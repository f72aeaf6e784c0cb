/** What a site has beside the chart: volumes, and pods that submit jobs. */

const NODE = {
  required: {
    nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['node'] }] }],
  },
};

const volume = (name: string, path: string, accessMode: string): object => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name },
  spec: {
    capacity: { storage: '1Gi' },
    accessModes: [accessMode],
    persistentVolumeReclaimPolicy: 'Retain',
    storageClassName: '',
    // Unlike a folder of the host it is given to the pod's group, as a disk of a cloud is.
    local: { path },
    nodeAffinity: NODE,
  },
});

/** A disk for whatever claims one of a gibibyte. */
export const stateVolume = (path: string): object => volume('state', path, 'ReadWriteOnce');

/** A folder that all pods may write to, and the claim to it. */
export const sharedVolume = (claim: string, path: string): object[] => [
  volume(claim, path, 'ReadWriteMany'),
  {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: claim },
    spec: {
      accessModes: ['ReadWriteMany'],
      storageClassName: '',
      volumeName: claim,
      resources: { requests: { storage: '1Gi' } },
    },
  },
];

/** A pod that runs one command of the image, with the shared volume at /data. */
export const clientPod = (name: string, image: string, args: readonly string[]): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'client',
        image,
        args,
        resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '512Mi' } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
      },
    ],
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'screens' } }],
  },
});
