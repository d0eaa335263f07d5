/** Reading UTF-8 where only the web platform is there. */
export { readUtf8Strictly as readUtf8 } from '../text.ts'
